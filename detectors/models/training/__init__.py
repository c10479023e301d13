"""What made the weights we ship. It needs the corpus folder, and is no part of the running product."""
