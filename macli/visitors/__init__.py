"""Who looks at the company's pages: visitors, what they did, and the contacts they turn out to be."""
