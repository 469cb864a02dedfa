"""AuxFormer: Goncalves and Busso, ICASSP 2022."""
