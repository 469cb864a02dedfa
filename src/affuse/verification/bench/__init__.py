"""Speed and memory: affuse beside the plain published way, in turns, on the same generated input.

`comparison` says what is compared and prints it; `preparing`, `training`, `predicting` and
`storing` each have the sides of one comparison; the modules named `plain_...` are the published
ways, written plainly.
"""
