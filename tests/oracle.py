"""The algorithm in float64 NumPy, gradients derived by hand: a check that shares no code."""

from functools import partial

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
    gradients = []
    for before, after in ((inputs, grad1), (frac1, grad2), (frac2, grad)):
        gradients += [before.T @ after, after.sum(0, keepdims=True)]
    return gradients, grad1 @ weight1.T


def sigmoid(logit):
    """Return 1 / (1 + exp(-logit))."""
    return 1 / (1 + np.exp(-logit))


def generate(z, theta_g, scale=5):
    """Return G(z)."""
    return scale * np.tanh(forward(z, theta_g)[2])


def discriminate(x, theta_d):
    """Return D(x)."""
    return sigmoid(forward(x, theta_d)[2])


def minimised_d(x, z, theta_g, theta_d, scale=5):
    """Return what D's step minimises: 1 - mean(log D1 + log(1 - D2))."""
    D1, D2 = discriminate(x, theta_d), discriminate(generate(z, theta_g, scale), theta_d)
    return 1 - np.mean(np.log(D1) + np.log(1 - D2))


def minimised_g(z, theta_g, theta_d, scale=5):
    """Return what G's step minimises: 1 - mean(log D2)."""
    return 1 - np.mean(np.log(discriminate(generate(z, theta_g, scale), theta_d)))


def gradient_d(x, z, theta_g, theta_d, scale=5):
    """Return the gradient of `minimised_d` with respect to theta_d."""
    total = [0] * 6
    for inputs, real in ((x, 1), (generate(z, theta_g, scale), 0)):
        layers = forward(inputs, theta_d)
        slope = (sigmoid(layers[2]) - real) / len(inputs)
        gradients, _ = backward(inputs, theta_d, layers, slope)
        total = [a + b for a, b in zip(total, gradients, strict=True)]
    return total


def gradient_g(z, theta_g, theta_d, scale=5):
    """Return the gradient of `minimised_g` with respect to theta_g."""
    layers_g = forward(z, theta_g)
    G = scale * np.tanh(layers_g[2])
    layers_d = forward(G, theta_d)
    _, grad_G = backward(G, theta_d, layers_d, (sigmoid(layers_d[2]) - 1) / len(z))
    gradients, _ = backward(z, theta_g, layers_g, grad_G * (scale - G**2 / scale))
    return gradients


def penalty(x, theta_d, gamma):
    """Return R1: gamma / 2 * mean(slope of D's logit at x, squared)."""
    _, slopes = backward(x, theta_d, forward(x, theta_d), np.ones((len(x), 1)))
    return gamma / 2 * np.mean(np.square(slopes))


def differences(objective, theta, step=1e-6):
    """Return the gradient of `objective()` with respect to theta, from finite differences."""
    gradients = [np.zeros_like(value) for value in theta]
    for value, gradient in zip(theta, gradients, strict=True):
        for index in np.ndindex(value.shape):
            start = value[index]
            value[index] = start + step
            above = objective()
            value[index] = start - step
            gradient[index] = (above - objective()) / (2 * step)
            value[index] = start
    return gradients


class Momentum:
    """Momentum descent, its rate multiplied by 0.95 after every epoch // 4 of its own steps."""

    def __init__(self, theta, epoch, learning_rate=0.01, momentum=0.6, decay_rate=0.95):
        self.theta, self.interval, self.steps = theta, max(1, epoch // 4), 0
        self.learning_rate, self.momentum, self.decay_rate = learning_rate, momentum, decay_rate
        self.velocity = [np.zeros_like(value) for value in theta]

    def rate(self, steps_ago=0):
        """Return the rate of the next step, or of one that was taken."""
        return self.learning_rate * self.decay_rate ** ((self.steps - steps_ago) // self.interval)

    def step(self, gradients):
        """Take one step."""
        rate = self.rate()
        for value, velocity, gradient in zip(self.theta, self.velocity, gradients, strict=True):
            velocity *= self.momentum
            velocity += gradient
            value -= rate * velocity
        self.steps += 1


class Adam(Momentum):
    """Adam (Kingma and Ba 2015, algorithm 1), its rate falling as above."""

    def __init__(self, theta, epoch, learning_rate=0.01, beta1=0.9, decay_rate=0.95):
        super().__init__(theta, epoch, learning_rate, beta1, decay_rate)
        self.square = [np.zeros_like(value) for value in theta]

    def step(self, gradients):
        """Take one step."""
        rate, beta1, t = self.rate(), self.momentum, self.steps + 1
        for k, gradient in enumerate(gradients):
            self.velocity[k] = beta1 * self.velocity[k] + (1 - beta1) * gradient
            self.square[k] = 0.999 * self.square[k] + 0.001 * gradient**2
            mean, square = self.velocity[k] / (1 - beta1**t), self.square[k] / (1 - 0.999**t)
            self.theta[k] -= rate * mean / (np.sqrt(square) + 1e-8)
        self.steps += 1


def train(optimizer_g, optimizer_d, x, z, scale=5, gamma=0, decay=0):
    """Train in place: x (iterations, d_steps, size, 1) and z (iterations, d_steps + 1, size, 1).

    `gamma` is the weight of R1. Returns the average of G's weights, taken with `decay`.
    """
    theta_g, theta_d = optimizer_g.theta, optimizer_d.theta
    average = [value.copy() for value in theta_g]
    for x_i, z_i in zip(x.astype(float), z.astype(float), strict=True):
        for real, noise in zip(x_i, z_i[:-1], strict=True):
            gradients = gradient_d(real, noise, theta_g, theta_d, scale)
            if gamma:
                slopes = differences(partial(penalty, real, theta_d, gamma), theta_d)
                gradients = [a + b for a, b in zip(gradients, slopes, strict=True)]
            optimizer_d.step(gradients)
        optimizer_g.step(gradient_g(z_i[-1], theta_g, theta_d, scale))
        average = [decay * a + (1 - decay) * v for a, v in zip(average, theta_g, strict=True)]
    return average


def largest_gap(found, expected):
    """Return the largest difference between arrays and others, in lists of one order."""
    return max(np.abs(a - b).max() for a, b in zip(found, expected, strict=True))
