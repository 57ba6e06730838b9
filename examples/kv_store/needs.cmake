set(needs WriteAhead::index)
