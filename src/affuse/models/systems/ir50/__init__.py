"""IR-50, the face network of leader-follower fusion."""
