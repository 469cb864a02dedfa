"""What was evaluated, as a page for readers, as tables for papers, and as a model card."""
