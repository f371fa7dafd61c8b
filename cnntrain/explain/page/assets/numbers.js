"use strict";
// The numbers of the page: arrays, how each number follows from others, and the recomputation of all of them.

/** An array of samples, (N, C, H, W) or (N, features); what the page leaves out is NaN. */
class Tensor {
  constructor(spec) {
    this.shape = spec.shape;
    this.size = spec.shape.reduce((product, side) => product * side, 1);
    if (spec.data) {
      this.data = Float64Array.from(spec.data);
      return;
    }
    this.data = new Float64Array(this.size).fill(NaN);
    for (const block of spec.blocks) this.fill(block.axes, block.data);
  }

  fill(axes, values) {
    let next = 0;
    const walk = (axis, offset) => {
      if (axis === axes.length) {
        this.data[offset] = values[next++];
        return;
      }
      for (const i of axes[axis]) walk(axis + 1, offset * this.shape[axis] + i);
    };
    walk(0, 0);
  }

  offset(index) {
    let offset = 0;
    for (let axis = 0; axis < index.length; axis++) offset = offset * this.shape[axis] + index[axis];
    return offset;
  }

  index(offset) {
    const index = [];
    for (let axis = this.shape.length - 1; axis >= 0; axis--) {
      index.unshift(offset % this.shape[axis]);
      offset = Math.floor(offset / this.shape[axis]);
    }
    return index;
  }

  get(index) {
    return this.data[this.offset(index)];
  }
}

const DATA = JSON.parse(document.getElementById("data").textContent);
const ENTRIES = DATA.entries;
for (const entry of ENTRIES) {
  entry.t = {};
  for (const [name, spec] of Object.entries(entry.arrays)) {
    entry.t[name] = "same" in spec ? ENTRIES[spec.same[0]].t[spec.same[1]] : new Tensor(spec);
  }
}

const sigmoid = (z) => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)));
const slopeOf = (sigma, z) => (Number.isNaN(z) ? NaN : SIGMA[sigma][1](z));
const SIGMA = {
  identity: [(z) => z, () => 1],
  relu: [(z) => Math.max(z, 0), (z) => (z > 0 ? 1 : 0)],
  leaky_relu: [(z) => (z > 0 ? z : 0.01 * z), (z) => (z > 0 ? 1 : 0.01)],
  sigmoid: [sigmoid, (z) => sigmoid(z) * sigmoid(-z)],
  tanh: [Math.tanh, (z) => 4 * sigmoid(2 * z) * sigmoid(-2 * z)],
  softplus: [(z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))), sigmoid],
  elu: [(z) => (z > 0 ? z : Math.expm1(z)), (z) => Math.exp(Math.min(z, 0))],
};

/** A number of an array, as a factor or summand; outside the image it is 0. */
const cell = (entry, name, index) => ({ entry, name, index, v: entry.t[name].get(index) });
const flat = (entry, name, offset) => {
  const tensor = entry.t[name];
  if (!tensor) return { entry: null, v: NaN }; // the page leaves it out
  return { entry, name, index: tensor.index(offset), v: tensor.data[offset] };
};
const given = (text, v) => ({ text, v });

const value = (way) => {
  let sum = 0;
  for (const group of way.groups) for (const term of group.terms) sum += term.reduce((p, f) => p * f.v, 1);
  for (const summand of way.plus || []) sum += summand.v;
  return way.f ? way.f(sum) : sum;
};
const magnitude = (way) => {
  let sum = 0;
  for (const group of way.groups) for (const term of group.terms) sum += Math.abs(term.reduce((p, f) => p * f.v, 1));
  for (const summand of way.plus || []) sum += Math.abs(summand.v);
  return Math.max(1, sum, way.size || 0);
};
const one = (terms, label) => [{ label: label || "", n: null, terms }];

// Windows of conv and pool.
const outside = (tensor, r, c) => r < 0 || c < 0 || r >= tensor.shape[2] || c >= tensor.shape[3];
function reading(entry, r, c, out) {
  const found = [];
  const [rows, columns] = entry.window;
  for (let i = 0; i < out.shape[2]; i++) {
    const p = r + entry.P - entry.S * i;
    if (p < 0 || p >= rows) continue;
    for (let j = 0; j < out.shape[3]; j++) {
      const q = c + entry.P - entry.S * j;
      if (q >= 0 && q < columns) found.push([i, j, p, q]);
    }
  }
  return found;
}

/** How each array of a kind of layer follows from others: index -> {expr, groups, plus, f}. */
const WAYS = {
  conv: {
    z(e, [n, k, i, j]) {
      const W = e.t.W;
      const groups = [];
      for (let c = 0; c < W.shape[1]; c++) {
        const terms = [];
        for (let p = 0; p < W.shape[2]; p++) {
          for (let q = 0; q < W.shape[3]; q++) {
            const [r, s] = [e.S * i + p - e.P, e.S * j + q - e.P];
            if (!outside(e.t.x, r, s)) terms.push([cell(e, "x", [n, c, r, s]), cell(e, "W", [k, c, p, q])]);
          }
        }
        groups.push({ label: "channel", n: c, terms });
      }
      return { expr: e.t.b ? "Σ x·W + b" : "Σ x·W", groups, plus: e.t.b ? [cell(e, "b", [k])] : [] };
    },
    dx(e, [n, c, r, s]) {
      const found = reading(e, r, s, e.t.delta);
      const groups = [];
      for (let k = 0; k < e.t.W.shape[0]; k++) {
        const terms = found.map(([i, j, p, q]) => [cell(e, "delta", [n, k, i, j]), cell(e, "W", [k, c, p, q])]);
        groups.push({ label: "filter", n: k, terms });
      }
      return { expr: "Σ δ·W", groups };
    },
    dW(e, [k, c, p, q]) {
      const delta = e.t.delta;
      const groups = [];
      for (let n = 0; n < delta.shape[0]; n++) {
        const terms = [];
        for (let i = 0; i < delta.shape[2]; i++) {
          for (let j = 0; j < delta.shape[3]; j++) {
            const [r, s] = [e.S * i + p - e.P, e.S * j + q - e.P];
            if (!outside(e.t.x, r, s)) terms.push([cell(e, "delta", [n, k, i, j]), cell(e, "x", [n, c, r, s])]);
          }
        }
        groups.push({ label: "sample", n, terms });
      }
      return { expr: "Σ δ·x", groups };
    },
  },
  pool: {
    a(e, [n, c, i, j]) {
      const [rows, columns] = e.window;
      const terms = []; // padding is never the maximum, and adds 0 to an average
      for (let p = 0; p < rows; p++) {
        for (let q = 0; q < columns; q++) {
          const [r, s] = [e.S * i + p - e.P, e.S * j + q - e.P];
          if (!outside(e.t.x, r, s)) terms.push([cell(e, "x", [n, c, r, s])]);
        }
      }
      if (!e.max) {
        const share = given(`1/${rows * columns}`, 1 / (rows * columns));
        return { expr: `Σ x / ${rows * columns}`, groups: one(terms.map((term) => [...term, share])) };
      }
      return { expr: "max x", list: true, groups: one(terms), f: () => Math.max(...terms.map((term) => term[0].v)) };
    },
    dx(e, [n, c, r, s]) {
      const columns = e.window[1];
      const share = 1 / (e.window[0] * columns);
      const terms = reading(e, r, s, e.t.delta).map(([i, j, p, q]) => {
        if (!e.max) return [cell(e, "delta", [n, c, i, j]), given("1/k²", share)];
        const winner = e.t.winner.get([n, c, i, j]);
        const won = Number.isNaN(winner) ? NaN : Number(winner === p * columns + q);
        return [cell(e, "delta", [n, c, i, j]), given("won", won)];
      });
      return { expr: "Σ upsample(δ)", groups: one(terms) };
    },
  },
  fc: {
    z(e, [n, u]) {
      const features = e.t.W.shape[1];
      const terms = [];
      for (let v = 0; v < features; v++) terms.push([cell(e, "W", [u, v]), flat(e, "x", n * features + v)]);
      return { expr: e.t.b ? "Σ W·x + b" : "Σ W·x", groups: one(terms), plus: e.t.b ? [cell(e, "b", [u])] : [] };
    },
    dx(e, index) {
      const features = e.t.W.shape[1];
      const offset = e.t.dx.offset(index);
      const [n, v] = [Math.floor(offset / features), offset % features];
      const terms = [];
      for (let u = 0; u < e.t.W.shape[0]; u++) terms.push([cell(e, "W", [u, v]), cell(e, "delta", [n, u])]);
      return { expr: "Σ Wᵀ·δ", groups: one(terms) };
    },
    dW(e, [u, v]) {
      const features = e.t.W.shape[1];
      const groups = [];
      for (let n = 0; n < e.t.delta.shape[0]; n++) {
        groups.push({ label: "sample", n, terms: [[cell(e, "delta", [n, u]), flat(e, "x", n * features + v)]] });
      }
      return { expr: "δ·x", groups };
    },
  },
  batch_norm: {
    mean(e, [c]) {
      const all = channel(e, "x", c);
      return { expr: `Σ x / ${all.length}`, groups: one(all.map((x) => [x, given(`1/${all.length}`, 1 / all.length)])) };
    },
    var(e, [c]) {
      const all = channel(e, "x", c);
      const mean = e.t.mean.get([c]);
      const terms = all.map((x) => [given("(x - mean)", x.v - mean), given("(x - mean)", x.v - mean), given("1/m", 1 / all.length)]);
      return { expr: "Σ (x - mean)² / m", groups: one(terms) };
    },
    z(e, index) {
      const c = index[1];
      const x = cell(e, "x", index);
      const [mean, root] = [e.t.mean.get([c]), Math.sqrt(e.t.var.get([c]) + e.eps)];
      const term = [cell(e, "gamma", [c]), { ...x, v: x.v - mean, minus: mean }, given("1/√(var + eps)", 1 / root)];
      return { expr: "γ (x - mean) / √(var + eps) + b", groups: one([term]), plus: e.t.b ? [cell(e, "b", [c])] : [] };
    },
    dx(e, index) {
      const c = index[1];
      const [mean, root] = [e.t.mean.get([c]), Math.sqrt(e.t.var.get([c]) + e.eps)];
      const [x, delta] = [channel(e, "x", c), channel(e, "delta", c)];
      const scale = e.t.gamma.get([c]) / root;
      let [sum, product, size] = [0, 0, 0]; // size: what cancels inside the sums
      for (let i = 0; i < x.length; i++) {
        size += Math.abs(delta[i].v) * (1 + (Math.abs(x[i].v) + Math.abs(mean)) / root);
        sum += delta[i].v;
        product += (delta[i].v * (x[i].v - mean)) / root;
      }
      const hat = (e.t.x.get(index) - mean) / root;
      return {
        size: (Math.abs(scale) * size * (1 + Math.abs(hat))) / x.length,
        expr: "γ / √(var + eps) (δ - Σδ / m - x̂ Σδx̂ / m)",
        groups: [
          { label: "directly", n: null, terms: [[given("γ/√", scale), cell(e, "delta", index)]] },
          { label: "through_mean", n: null, terms: [[given("-γ/(√ m)", -scale / x.length), given("Σδ", sum)]] },
          { label: "through_var", n: null, terms: [[given("-γ/(√ m)", -scale / x.length), given("x̂", hat), given("Σδx̂", product)]] },
        ],
      };
    },
    dgamma(e, [c]) {
      const [mean, root] = [e.t.mean.get([c]), Math.sqrt(e.t.var.get([c]) + e.eps)];
      const x = channel(e, "x", c);
      const terms = channel(e, "delta", c).map((delta, i) => [delta, given("x̂", (x[i].v - mean) / root)]);
      return { expr: "Σ δ·x̂", groups: one(terms) };
    },
  },
  dropout: {
    a: (e, index) => ({ expr: "mask·x", groups: one([[cell(e, "mask", index), cell(e, "x", index)]]) }),
    dx: (e, index) => ({ expr: "mask·δ", groups: one([[cell(e, "mask", index), cell(e, "delta", index)]]) }),
  },
  activation: {
    z: (e, index) => ({ expr: "x + b", groups: one([[cell(e, "x", index)]]), plus: [cell(e, "b", [index[1]])] }),
    dx: (e, index) => ({ expr: "δ", groups: one([[cell(e, "delta", index)]]) }),
  },
  softmax: {
    z: (e, index) => ({ expr: "x", groups: one([[cell(e, "x", index)]]) }),
    dx: (e, index) => ({ expr: "δ", groups: one([[cell(e, "delta", index)]]) }),
  },
  residual: {
    z: (e, index) => ({
      expr: "F(x) + shortcut(x)",
      groups: one([[cell(e, "branch", index)], [cell(e, "shortcut", index)]]),
    }),
    dx: (e, index) => ({
      expr: "dJ/dx(F) + dJ/dx(shortcut)",
      groups: one([[cell(e, "dx_branch", index)], [cell(e, "dx_shortcut", index)]]),
    }),
  },
};

/** The values of a channel in all samples. */
function channel(e, name, c) {
  const tensor = e.t[name];
  const pixels = tensor.shape.slice(2).reduce((product, side) => product * side, 1);
  const cells = [];
  for (let n = 0; n < tensor.shape[0]; n++) {
    for (let i = 0; i < pixels; i++) cells.push(flat(e, name, (n * tensor.shape[1] + c) * pixels + i));
  }
  return cells;
}

/** What is common to all kinds: a = sigma(z), delta = dJ/da ⊙ sigma'(z), db, and the step. */
const COMMON = {
  a(e, index) {
    if (e.sigma === "softmax") {
      const z = [];
      for (let j = 0; j < e.t.z.shape[1]; j++) z.push(cell(e, "z", [index[0], j]));
      const largest = Math.max(...z.map((each) => each.v));
      const total = z.reduce((sum, each) => sum + Math.exp(each.v - largest), 0);
      return {
        expr: "e^z / Σ e^z",
        list: true,
        groups: one(z.map((each) => [each])),
        f: () => Math.exp(z[index[1]].v - largest) / total,
      };
    }
    return { expr: `${e.sigma}(z)`, groups: one([[cell(e, "z", index)]]), f: SIGMA[e.sigma][0] };
  },
  delta(e, index) {
    if (e.alone) return null;
    const offset = e.t.delta.offset(index);
    if (e.after === null) return lossDelta(e, index);
    const term = e.after.map(([position, name]) => [flat(ENTRIES[position], name, offset)]);
    if (!e.t.z || e.sigma === "identity") return { expr: "dJ/da", groups: one(term) };
    const z = e.t.z.data[offset];
    const slope = { ...flat(e, "z", offset), v: slopeOf(e.sigma, z), slope: true };
    return { expr: "dJ/da · σ′(z)", groups: one(term.map((factors) => [...factors, slope])) };
  },
  db(e, [k]) {
    return { expr: "Σ δ", groups: one(channel(e, "delta", k).map((each) => [each])) };
  },
};

function target(n, j) {
  const { labels, smoothing, classes } = DATA.objective;
  return (1 - smoothing) * (labels[n] === j ? 1 : 0) + smoothing / classes;
}

/** delta of the output layer: that of the loss. */
function lossDelta(e, index) {
  const { loss, weights, scale } = DATA.objective;
  const n = index[0];
  const size = e.t.a.size / e.t.a.shape[0];
  const k = e.t.a.offset(index) - n * size;
  const factors = [];
  if (weights[n] !== 1) factors.push(given("w", weights[n]));
  if (scale !== 1) factors.push(given("1/N", scale));
  const minus = (j) => {
    const a = flat(e, "a", n * size + j);
    return { ...a, v: a.v - target(n, j), minus: target(n, j) };
  };
  if (loss === "cross_entropy") return { expr: "a - y", groups: one([[minus(k), ...factors]]) };
  if (e.sigma === "softmax") {
    const terms = [];
    for (let j = 0; j < size; j++) {
      const a = flat(e, "a", n * size + j);
      const slope = (j === k ? 1 : 0) - e.t.a.data[n * size + k];
      terms.push([minus(j), a, given("([k = j] - a)", slope), ...factors]);
    }
    return { expr: "Σ (a - y) a ([k = j] - a)", groups: one(terms) };
  }
  const z = flat(e, "z" in e.t ? "z" : "a", n * size + k);
  return {
    expr: "(a - y) · σ′(z)",
    groups: one([[minus(k), { ...z, v: slopeOf(e.sigma, z.v), slope: true }, ...factors]]),
  };
}

/** The step of one entry of a parameter: the gradient with penalties, the new states and the new value. */
function stepOf(e, key, index) {
  const s = DATA.step;
  const [old, d] = [e.t[key].get(index), e.t[`d${key}`].get(index)];
  const penalized = key === "W";
  const g = (d + (penalized ? s.l2 * old + s.l1 * Math.sign(old) : 0)) * s.clip;
  const states = s.letters.map((letter) => e.t[`${letter}.${key}`].get(index));
  const o = s.options;
  if (s.optimizer === "sgd") {
    if (!s.letters.length) return { g, states: [], next: old - s.alpha * g };
    const v = o.momentum * states[0] - s.alpha * g;
    return { g, states: [v], next: o.nesterov ? old + o.momentum * v - s.alpha * g : old + v };
  }
  if (s.optimizer === "rmsprop") {
    const r = o.rho * states[0] + (1 - o.rho) * g * g;
    return { g, states: [r], next: old - (s.alpha * g) / (Math.sqrt(r) + o.eps) };
  }
  const m = o.beta1 * states[0] + (1 - o.beta1) * g;
  const v = o.beta2 * states[1] + (1 - o.beta2) * g * g;
  const start = s.optimizer === "adamw" && penalized ? old - s.alpha * o.weight_decay * old : old;
  const [mHat, vHat] = [m / (1 - o.beta1 ** s.t), v / (1 - o.beta2 ** s.t)];
  return { g, states: [m, v], next: start - (s.alpha * mHat) / (Math.sqrt(vHat) + o.eps) };
}

/** How a number follows from others, or null for one that is given. */
function wayOf(e, name, index) {
  const own = WAYS[e.type][name] || COMMON[name];
  return own ? own(e, index) : null;
}

const CHECKED = ["mean", "var", "z", "a", "delta", "dx", "dW", "dgamma", "db"];

/** Recompute every number whose operands are on the page. */
function recompute() {
  const result = { numbers: 0, left: 0, worst: 0, where: "" };
  const compare = (shown, computed, size, where) => {
    if (Number.isNaN(computed)) {
      result.left++;
      return;
    }
    result.numbers++;
    const difference = shown === computed ? 0 : Math.abs(shown - computed) / size;
    if (!(difference <= result.worst)) {
      result.worst = Number.isNaN(difference) ? Infinity : difference;
      result.where = where;
    }
  };
  for (const e of ENTRIES) {
    for (const name of CHECKED) {
      if (!(name in e.t) || !("shape" in (e.arrays[name] || {}))) continue;
      const tensor = e.t[name];
      for (let offset = 0; offset < tensor.size; offset++) {
        const shown = tensor.data[offset];
        if (Number.isNaN(shown)) continue;
        const way = wayOf(e, name, tensor.index(offset));
        if (way) compare(shown, value(way), magnitude(way), `${e.name} ${name}[${tensor.index(offset).join(",")}]`);
      }
    }
    if (!DATA.step) continue;
    for (const key of ["W", "b", "gamma"]) {
      const next = e.t[`new.${key}`];
      if (!next) continue;
      for (let offset = 0; offset < next.size; offset++) {
        if (Number.isNaN(next.data[offset])) continue;
        const index = next.index(offset);
        const step = stepOf(e, key, index);
        const where = `${e.name} ${key}[${index.join(",")}]`;
        compare(next.data[offset], step.next, Math.max(1, Math.abs(step.next)), `${where}, step`);
        DATA.step.letters.forEach((letter, i) => {
          compare(e.t[`new.${letter}.${key}`].data[offset], step.states[i], Math.max(1, Math.abs(step.states[i])), `${where}, ${letter}`);
        });
      }
    }
  }
  if (DATA.objective) checkLosses(compare);
  return result;
}

/** Recompute the loss of each sample. */
function checkLosses(compare) {
  const last = ENTRIES[ENTRIES.length - 1];
  if (!last.t.a) return;
  const { loss, weights, losses } = DATA.objective;
  const size = last.t.a.size / last.t.a.shape[0];
  losses.forEach((shown, n) => {
    let sum = 0;
    const of = (name) => Array.from({ length: size }, (_, j) => last.t[name].data[n * size + j]);
    if (loss === "cross_entropy") {
      const z = of("z");
      const largest = Math.max(...z);
      const log = Math.log(z.reduce((total, each) => total + Math.exp(each - largest), 0)) + largest;
      z.forEach((each, j) => (sum += target(n, j) * (log - each)));
    } else {
      of("a").forEach((each, j) => (sum += (each - target(n, j)) ** 2 / 2));
    }
    compare(shown, sum * weights[n], Math.max(1, Math.abs(shown)), "J");
  });
}
