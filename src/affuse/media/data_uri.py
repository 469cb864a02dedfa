"""Files inside of an HTML page or a JSON answer."""

from __future__ import annotations

import base64

import cv2
import numpy as np


def data_uri(kind: str, data: bytes) -> str:
    """Bytes of a media type, such as `image/png`, as an address."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def jpeg_uri(picture: np.ndarray, quality: int = 80) -> str:
    """An image as the address of a JPEG.

    Args:
        picture: (H, W, 3) RGB or (H, W) grey, uint8.
        quality: From 0 to 100.
    """
    colours = picture if picture.ndim == 2 else picture[..., ::-1]
    done, data = cv2.imencode(".jpg", colours, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data_uri("image/jpeg", data.tobytes())
