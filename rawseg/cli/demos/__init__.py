"""What ``rawseg demo`` can show, a file each: its data, its network, its pictures."""
