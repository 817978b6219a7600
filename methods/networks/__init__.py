"""What the network methods share: windows, weights and training; torch is imported only here."""
