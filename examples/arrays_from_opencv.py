"""Frames as OpenCV gives them, without a file of their own: arrays_from_opencv.py VIDEO."""

import sys

import cv2
import numpy as np

import affuse

capture = cv2.VideoCapture(sys.argv[1])
images, times = [], []
while True:
    there, image = capture.read()
    if not there:
        break
    images.append(image[..., ::-1])  # OpenCV has BGR
    times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
recording = affuse.InMemory(np.stack(images), np.array(times), name="camera")
print(recording)
timeline = affuse.predict(recording)
print(timeline)
print(timeline.to_pandas()[["start", "end", "emotion", "face_size"]])
