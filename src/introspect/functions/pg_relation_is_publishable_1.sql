SELECT false
