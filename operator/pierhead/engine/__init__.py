"""Watch, queue, worker, status: the machinery every kind shares. It knows no kind and no client."""
