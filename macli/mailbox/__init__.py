"""Mail that comes in: bounces, complaints, answers and unsubscribe requests, and what becomes of them."""
