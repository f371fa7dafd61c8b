"""Files of images and labels, one format a file."""
