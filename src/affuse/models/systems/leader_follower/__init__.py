"""Leader-follower fusion: Zhang, Ding, Wei and Guan, ICCVW 2021."""
