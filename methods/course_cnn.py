"""The network of the challenge's source document."""

from typing import TYPE_CHECKING

from inpaintbench.methods.networks.window_method import WindowMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.course_net import CourseNet


class CourseCnn(WindowMethod):
    """Three 7x7 convolutions, as the challenge's source document published them, traps mended.

    See `inpaintbench.methods.networks.course_net` for what was kept and what was mended.
    """

    name = "course-cnn"
    symmetries: bool = False  # the published network used none

    def build(self) -> "CourseNet":
        """Make the untrained network."""
        from inpaintbench.methods.networks.course_net import CourseNet

        return CourseNet()
