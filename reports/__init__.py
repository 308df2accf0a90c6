"""What people look at: reads the store, writes one offline page set and print figures."""
