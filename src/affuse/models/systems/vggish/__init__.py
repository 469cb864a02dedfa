"""VGGish: Hershey et al., ICASSP 2017."""
