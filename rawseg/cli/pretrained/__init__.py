"""Networks whose weights come from elsewhere, in packages: ``rawseg predict --model``, ``rawseg train --pretrained``."""
