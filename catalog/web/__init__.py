"""The portal: what everyone is granted, on one local address, in French and English, without JavaScript."""
