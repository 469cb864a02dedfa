"""Self-attention fusion: Chumachenko, Iosifidis and Gabbouj, ICPR 2022."""
