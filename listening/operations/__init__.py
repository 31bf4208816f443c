"""Running the site: is it ready, what does it do, and copies of all that it holds."""
