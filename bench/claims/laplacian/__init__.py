"""Claims about traces and Laplacians."""
