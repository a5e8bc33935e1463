"""Mathematics of one number, for equations and kernels."""

from __future__ import annotations

from math import exp, log, sqrt

from ecosystem.maths.compiled import equation

_LARGEST = 700.0  # exp of more would overflow
INSIDE = 1e-12  # uniform numbers are kept so far from 0 and 1 before they are inverted
_LARGE_MEAN = 50.0  # Poisson numbers above this mean come from the normal approximation
_MOST_EVENTS = 160  # beyond every count that a double can ask for at the largest mean


@equation
def logistic(x: float) -> float:
    """Return 1/(1 + exp(-x))."""
    return 1 / (1 + exp(min(-x, _LARGEST)))


@equation
def ratio(top: float, bottom: float) -> float:
    """Return top/bottom, and 0 where the bottom is not above zero."""
    return top / bottom if bottom > 0 else 0.0


@equation
def polynomial(x: float, coefficients: tuple[float, ...]) -> float:
    """Return the polynomial with these coefficients, the highest power first (Horner)."""
    value = 0.0
    for coefficient in coefficients:
        value = value * x + coefficient
    return value


@equation
def normal_quantile(uniform: float) -> float:
    """Return the standard normal number that a uniform number in [0, 1) stands for.

    Right to about 1 in 10^16: Wichura (1988), "The percentage points of the normal distribution",
    algorithm AS 241.
    """
    u = min(max(uniform, INSIDE), 1 - INSIDE)
    centred = u - 0.5
    if abs(centred) <= 0.425:
        r = 0.180625 - centred * centred
        return centred * polynomial(r, _MIDDLE[0]) / polynomial(r, _MIDDLE[1])
    r = sqrt(-log(min(u, 1 - u)))
    near = r <= 5
    r -= 1.6 if near else 5.0
    top, bottom = _NEAR_TAIL if near else _FAR_TAIL
    size = polynomial(r, top) / polynomial(r, bottom)
    return -size if centred < 0 else size


_MIDDLE = (
    (
        2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
        4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
        1.3314166789178437745e2, 3.3871328727963666080e0,
    ),
    (
        5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
        2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
        4.2313330701600911252e1, 1.0,
    ),
)  # fmt: skip
_NEAR_TAIL = (
    (
        7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
        1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
        4.63033784615654529590e0, 1.42343711074968357734e0,
    ),
    (
        1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
        1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
        2.05319162663775882187e0, 1.0,
    ),
)  # fmt: skip
_FAR_TAIL = (
    (
        2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
        2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
        5.46378491116411436990e0, 6.65790464350110377720e0,
    ),
    (
        2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
        7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
        5.99832206555887937690e-1, 1.0,
    ),
)  # fmt: skip


@equation
def poisson_count(uniform: float, mean: float) -> float:
    """Return the Poisson count of a uniform number, the smallest whose probability exceeds it.

    Above a mean of 50 the normal approximation with its skewness term is rounded instead: off by
    one in fewer than one draw in a hundred. A mean that is not a number gives none either.
    Devroye (1986), "Non-uniform random variate generation", X.3.3; Cornish and Fisher (1938).
    """
    term = exp(-mean)
    if uniform < term:
        return 0.0
    if mean > _LARGE_MEAN:
        normal = normal_quantile(uniform)
        return max(float(round(mean + sqrt(mean) * normal + (normal**2 - 1) / 6)), 0.0)
    cumulative = term
    for count in range(1, _MOST_EVENTS):
        term *= mean / count
        cumulative += term
        if uniform < cumulative:
            return float(count)
    return (_MOST_EVENTS - 1) + 0.0 * mean
