"""Pages, forms and the API of studies, and who may see them."""
