"""A whole site in virtual machines: guest image, switches, guests and their prepared state."""
