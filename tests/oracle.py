"""The article's algorithm in float64 NumPy, gradients derived by hand: an independent check of the TensorFlow graph."""

import numpy as np

NAMES = ("weight1", "bias1", "weight2", "bias2", "weight3", "bias3")


def forward(inputs, theta):
    """Return the activations of the three layers, the last one before its activation function."""
    weight1, bias1, weight2, bias2, weight3, bias3 = theta
    frac1 = np.tanh(inputs @ weight1 + bias1)
    frac2 = np.tanh(frac1 @ weight2 + bias2)
    return frac1, frac2, frac2 @ weight3 + bias3


def backward(inputs, theta, layers, grad):
    """From the gradient at the last layer's output, return those of theta and of the inputs."""
    weight1, _, weight2, _, weight3, _ = theta
    frac1, frac2, _ = layers
    grad2 = grad @ weight3.T * (1 - frac2**2)
    grad1 = grad2 @ weight2.T * (1 - frac1**2)
    pairs = ((inputs, grad1), (frac1, grad2), (frac2, grad))
    gradients = [g for before, after in pairs for g in (before.T @ after, after.sum(0, keepdims=True))]
    return gradients, grad1 @ weight1.T


def sigmoid(logit):
    """Return 1 / (1 + exp(-logit))."""
    return 1 / (1 + np.exp(-logit))


def generate(z, theta_g):
    """Return G(z)."""
    return 5 * np.tanh(forward(z, theta_g)[2])


def gradient_d(x, z, theta_g, theta_d):
    """Return the gradient of 1 - mean(log D1 + log(1 - D2)) with respect to theta_d."""
    total = 0
    for inputs, slope in ((x, lambda D: D - 1), (generate(z, theta_g), lambda D: D)):
        layers = forward(inputs, theta_d)
        gradients, _ = backward(inputs, theta_d, layers, slope(sigmoid(layers[2])) / len(inputs))
        total = [a + b for a, b in zip(total, gradients, strict=True)] if total else gradients
    return total


def gradient_g(z, theta_g, theta_d):
    """Return the gradient of 1 - mean(log D2) with respect to theta_g."""
    layers_g = forward(z, theta_g)
    G = 5 * np.tanh(layers_g[2])
    layers_d = forward(G, theta_d)
    _, grad_G = backward(G, theta_d, layers_d, (sigmoid(layers_d[2]) - 1) / len(z))
    gradients, _ = backward(z, theta_g, layers_g, grad_G * (5 - G**2 / 5))
    return gradients


class Momentum:
    """Momentum descent, its rate multiplied by 0.95 after every epoch // 4 of its own steps."""

    def __init__(self, theta, epoch):
        self.theta, self.interval, self.steps = theta, epoch // 4, 0
        self.velocity = [np.zeros_like(value) for value in theta]

    def step(self, gradients):
        """Take one step."""
        rate = 0.01 * 0.95 ** (self.steps // self.interval)
        for value, velocity, gradient in zip(self.theta, self.velocity, gradients, strict=True):
            velocity *= 0.6
            velocity += gradient
            value -= rate * velocity
        self.steps += 1


def train(theta_g, theta_d, x, z, epoch):
    """Train in place: x (epoch, 2, size, 1) and z (epoch, 3, size, 1) hold each iteration's batches."""
    optimizer_g, optimizer_d = Momentum(theta_g, epoch), Momentum(theta_d, epoch)
    for i in range(epoch):
        for j in range(2):
            optimizer_d.step(gradient_d(x[i, j], z[i, j], theta_g, theta_d))
        optimizer_g.step(gradient_g(z[i, 2], theta_g, theta_d))
