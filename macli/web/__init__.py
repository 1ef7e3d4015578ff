"""What recipients and visitors reach: links, pixels, pages, forms, and what providers report."""
