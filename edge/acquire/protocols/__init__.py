"""One file per device protocol; `edge.acquire.registry` lists them."""
