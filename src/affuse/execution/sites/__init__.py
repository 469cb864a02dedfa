"""Sites: where work is done beyond the processes of a command, by Parsl."""
