"""The simple fusions that published systems are compared with, and models of one modality."""
