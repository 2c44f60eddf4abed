"""What the tests compare with, sharing no code with gan_1d.py: the algorithm in float64 NumPy."""

import functools
import statistics
from functools import partial
from pathlib import Path

import numpy as np

NAMES = ("weight1", "bias1", "weight2", "bias2", "weight3", "bias3")
REFERENCE = Path(__file__).parent / "tf1_15_seed1.npz"
EPOCH = 200  # the iterations of that run


@functools.cache
def reference_batches():
    """Return the reference run's batches, in its order: x (200, 2, 200, 1), z (200, 3, 200, 1)."""
    rng = np.random.RandomState(1)
    x, z = (np.empty((EPOCH, count, 200, 1), np.float32) for count in (2, 3))
    for i in range(EPOCH):
        for j in range(2):
            x[i, j], z[i, j] = rng.normal(-1, 1, [200, 1]), rng.uniform(-1, 1, [200, 1])
        z[i, 2] = rng.uniform(-1, 1, [200, 1])
    return x, z


def reference_theta(when):
    """Return the weights of the reference run's G, then D, `initial` or `after_200`."""
    with np.load(REFERENCE) as data:
        both = ("generator", "discriminator")
        return [data[f"{when}/{scope}/{n}"].astype(float) for scope in both for n in NAMES]


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


def gradient_d(x, z, theta_g, theta_d, scale=5):
    """Return the gradient of 1 - mean(log D1 + log(1 - D2)) with respect to theta_d."""
    total = [0] * 6
    for inputs, real in ((x, 1), (generate(z, theta_g, scale), 0)):
        layers = forward(inputs, theta_d)
        slope = (sigmoid(layers[2]) - real) / len(inputs)
        gradients, _ = backward(inputs, theta_d, layers, slope)
        total = [a + b for a, b in zip(total, gradients, strict=True)]
    return total


def gradient_g(z, theta_g, theta_d, scale=5):
    """Return the gradient of 1 - mean(log D2) with respect to theta_g."""
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

    def rate(self):
        """Return the rate of the next step."""
        return self.learning_rate * self.decay_rate ** (self.steps // self.interval)

    def step(self, gradients):
        """Take one step."""
        rate = self.rate()
        for value, velocity, gradient in zip(self.theta, self.velocity, gradients, strict=True):
            velocity *= self.momentum
            velocity += gradient
            value -= rate * velocity
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


def quantiles(mu=-1, sigma=1, count=2000):
    """Return evenly spaced quantiles of N(mu, sigma)."""
    target = statistics.NormalDist(mu, sigma)
    return np.array([target.inv_cdf((k + 0.5) / count) for k in range(count)])


def density(values, edges):
    """Return the density of values between edges; those beyond are counted in the outer ones."""
    return np.histogram(np.clip(values, edges[0], edges[-1]), edges, density=True)[0]


def ks_statistic(samples, cdf):
    """Return the KS statistic of each row of samples, from its definition."""
    samples = np.sort(np.asarray(samples, float))
    steps = np.arange(samples.shape[-1]) / samples.shape[-1]
    values = np.vectorize(cdf)(samples)
    return np.maximum(values - steps, steps + 1 / steps.size - values).max(-1)


def is_drawn_from(samples, cdf):
    """Return whether a KS test at the 1% level finds no fault with samples as draws."""
    return ks_statistic(np.ravel(samples), cdf) < 1.63 / np.size(samples) ** 0.5


ARTICLE = """
import numpy as np
import tensorflow.compat.v1 as tf
from gan_1d import GenDataLoader, RealDataLoader, Generator, Discriminator, momentum_optimizer
size, epoch = 200, 30
x_node = tf.placeholder(tf.float32, shape=(size, 1))
z_node = tf.placeholder(tf.float32, shape=(size, 1))
G, theta_g = Generator(z_node).get_param()
D2, theta_d = Discriminator(G).get_param()
D1, theta_d = Discriminator(x_node).get_param()
loss_d = tf.reduce_mean(tf.log(D1) + tf.log(1 - D2))
loss_g = tf.reduce_mean(tf.log(D2))
train_op_d = momentum_optimizer(1 - loss_d, theta_d, epoch)
train_op_g = momentum_optimizer(1 - loss_g, theta_g, epoch)
sess = tf.InteractiveSession()
tf.global_variables_initializer().run()
before = sess.run(theta_g + theta_d)
gen_data_load, real_data_load = GenDataLoader(size), RealDataLoader(size)
for i in range(epoch):
    for j in range(2):
        feed = {x_node: real_data_load.next_batch(), z_node: gen_data_load.next_batch()}
        sess.run([train_op_d, loss_d], feed)
    D1_, D2_ = sess.run([D1, D2], feed)
    sess.run([train_op_g, loss_g], {z_node: gen_data_load.next_batch()})
after = sess.run(theta_g + theta_d)
print(sum(not np.array_equal(a, b) for a, b in zip(before, after)), "variables changed")
print(0 < D1_.min() < D1_.max() < 1 and 0 < D2_.min() < D2_.max() < 1)
"""
