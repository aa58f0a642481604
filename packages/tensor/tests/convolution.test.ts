/** Forward values of convolution, pooling and resizing against plain loops; their gradients are refused by name. */

import { describe, expect, test } from "vitest"
import * as t from "../src/index.ts"
import { conv3x3, depthwise3x3 } from "../src/nn/conv.ts"
import { interpolationMatrix } from "../src/ops/interpolation.ts"
import { Rng } from "../src/random.ts"
import { type Block, naiveConv, naivePool, type Window } from "./naive.ts"

function block(name: string, ...shape: number[]): Block {
  const rng = new Rng(name)
  return { shape, data: Array.from({ length: t.sizeOf(shape) }, () => Math.fround(rng.uniform(-1, 1))) }
}

const constant = ({ shape, data }: Block) => t.constant(Float32Array.from(data), shape)

async function computed(tensor: t.Tensor): Promise<Block> {
  const { y } = await t.evaluate({ outputs: { y: tensor } }, {}, { threads: 1 })
  return { shape: tensor.shape, data: Array.from(y, Number) }
}

async function same(tensor: t.Tensor, expected: Block) {
  const found = await computed(tensor)
  expect(found.shape).toEqual(expected.shape)
  const worst = Math.max(...found.data.map((value, i) => Math.abs(value - expected.data[i])))
  expect(worst).toBeLessThan(1e-5)
}

const plain: Window = {
  strides: [1, 1],
  pads: [
    [0, 0],
    [0, 0],
  ],
  dilations: [1, 1],
  groups: 1,
}

const convolutions: Record<string, [x: Block, weight: Block, bias: boolean, window: Window]> = {
  plain: [block("x", 2, 3, 5, 6), block("w", 4, 3, 3, 2), true, plain],
  "without bias": [block("x", 1, 2, 4, 4), block("w", 3, 2, 1, 1), false, plain],
  strided: [block("x", 1, 2, 7, 8), block("w", 3, 2, 3, 3), true, { ...plain, strides: [2, 3] }],
  dilated: [block("x", 1, 2, 7, 8), block("w", 3, 2, 3, 3), true, { ...plain, dilations: [2, 3] }],
  "padded unevenly": [
    block("x", 1, 2, 4, 5),
    block("w", 3, 2, 3, 3),
    true,
    {
      ...plain,
      pads: [
        [0, 2],
        [1, 0],
      ],
    },
  ],
  grouped: [block("x", 2, 4, 5, 5), block("w", 6, 2, 3, 3), true, { ...plain, groups: 2 }],
  "depth-wise": [
    block("x", 1, 4, 5, 5),
    block("w", 4, 1, 3, 3),
    true,
    {
      ...plain,
      groups: 4,
      pads: [
        [1, 1],
        [1, 1],
      ],
    },
  ],
  "one axis": [
    block("x", 2, 3, 9),
    block("w", 2, 3, 4),
    true,
    { strides: [2], pads: [[1, 2]], dilations: [1], groups: 1 },
  ],
  "three axes": [
    block("x", 1, 2, 4, 5, 6),
    block("w", 3, 2, 2, 3, 3),
    true,
    {
      strides: [2, 1, 2],
      pads: [
        [1, 0],
        [1, 1],
        [0, 1],
      ],
      dilations: [1, 2, 1],
      groups: 1,
    },
  ],
  "three axes, grouped": [
    block("x", 1, 4, 3, 4, 4),
    block("w", 4, 1, 3, 1, 1),
    true,
    {
      strides: [1, 1, 1],
      pads: [
        [1, 1],
        [0, 0],
        [0, 0],
      ],
      dilations: [1, 1, 1],
      groups: 4,
    },
  ],
}

describe("conv", () => {
  for (const [name, [x, weight, withBias, window]] of Object.entries(convolutions)) {
    test(name, async () => {
      const bias = withBias ? block("bias", weight.shape[0]) : null
      const expected = naiveConv(x, weight, bias?.data ?? null, window)
      await same(t.conv(constant(x), constant(weight), bias && constant(bias), window), expected)
    })
  }

  test("has no gradient, and says what to use instead", () => {
    const x = t.input("x", [1, 2, 4, 4])
    const y = t.sum(t.conv(x, constant(block("w", 3, 2, 3, 3)), null))
    expect(() => t.grad(y, [x])).toThrow(/tensor op conv: has no gradient[\s\S]*nn\/conv\.ts/)
  })
})

describe("pool", () => {
  const windows = {
    "2 by 2": {
      kernel: [2, 2],
      strides: [2, 2],
      pads: [
        [0, 0],
        [0, 0],
      ] as [number, number][],
    },
    "overlapping, padded unevenly": {
      kernel: [3, 2],
      strides: [2, 1],
      pads: [
        [1, 0],
        [0, 1],
      ] as [number, number][],
    },
  }
  for (const [name, { kernel, strides, pads }] of Object.entries(windows)) {
    for (const kind of ["max", "average"] as const) {
      for (const countPad of kind === "max" ? [false] : [false, true]) {
        test(`${kind} ${name}${countPad ? ", zeros counted" : ""}`, async () => {
          const x = block("pool", 2, 3, 6, 7)
          const expected = naivePool(x, kind, kernel, { strides, pads }, countPad)
          await same(t.pool(constant(x), kind, kernel, { strides, pads, countPad }), expected)
        })
      }
    }
  }

  test("three axes", async () => {
    const x = block("pool3", 1, 2, 4, 4, 6)
    const window = {
      strides: [2, 2, 3],
      pads: [
        [0, 0],
        [0, 0],
        [0, 0],
      ] as [number, number][],
    }
    await same(t.pool(constant(x), "average", [2, 2, 3], window), naivePool(x, "average", [2, 2, 3], window, false))
  })

  test("has no gradient, and says what to use instead", () => {
    const x = t.input("x", [1, 2, 4, 4])
    expect(() => t.grad(t.sum(t.pool(x, "max", [2, 2])), [x])).toThrow(/tensor op pool: has no gradient[\s\S]*mean\(\)/)
  })
})

describe("resize", () => {
  // ONNX Runtime's result against the matrix that the gradient uses
  for (const coordinates of ["half-pixel", "align-corners", "asymmetric"] as const) {
    for (const mode of ["nearest", "linear", "cubic"] as const) {
      for (const [from, to] of [
        [4, 7],
        [7, 4],
        [5, 1],
        [3, 3],
      ]) {
        test(`${mode} ${coordinates} ${from} to ${to}`, async () => {
          const x = block("resize", 1, 1, 1, from)
          const matrix = interpolationMatrix(from, to, { mode, coordinates })
          const data = Array.from({ length: to }, (_, i) =>
            x.data.reduce((sum, value, j) => sum + value * matrix[i * from + j], 0),
          )
          await same(t.resize(constant(x), [1, to], { mode, coordinates }), { shape: [1, 1, 1, to], data })
        })
      }
    }
  }

  test("bilinear half-pixel equals PyTorch's align_corners=False", async () => {
    // torch.nn.functional.interpolate(torch.arange(6.).reshape(1,1,2,3), size=(3,5), mode="bilinear"), PyTorch 1.13
    const x: Block = { shape: [1, 1, 2, 3], data: [0, 1, 2, 3, 4, 5] }
    const data = [0, 0.4, 1, 1.6, 2, 1.5, 1.9, 2.5, 3.1, 3.5, 3, 3.4, 4, 4.6, 5]
    await same(t.resize(constant(x), [3, 5]), { shape: [1, 1, 3, 5], data })
  })
})

describe("trained convolutions equal conv", () => {
  const channelsFirst = (x: t.Tensor) => t.reshape(t.transpose(x, [0, 1, 4, 2, 3]), [6, x.shape[4], 4, 5]) // [B·T,D,H,W]
  const x = constant(block("map", 2, 3, 4, 5, 3))
  const pads: [number, number][] = [
    [1, 1],
    [1, 1],
  ]

  test("conv3x3", async () => {
    const weight = constant(block("w3", 3, 3, 3, 4))
    const bias = constant(block("b3", 4))
    const expected = t.conv(channelsFirst(x), t.transpose(weight, [3, 2, 0, 1]), bias, { pads })
    await same(channelsFirst(conv3x3(x, weight, bias)), await computed(expected))
  })

  test("depthwise3x3", async () => {
    const weight = constant(block("wd", 3, 3, 3))
    const bias = constant(block("bd", 3))
    const kernel = t.reshape(t.transpose(weight, [2, 0, 1]), [3, 1, 3, 3])
    const expected = t.conv(channelsFirst(x), kernel, bias, { pads, groups: 3 })
    await same(channelsFirst(depthwise3x3(x, weight, bias)), await computed(expected))
  })

  test("wrong shapes name the function", () => {
    const map = t.input("x", [1, 1, 2, 2, 3])
    const bias = t.input("b", [3])
    expect(() => conv3x3(map, t.input("w", [3, 3, 4, 3]), bias)).toThrow(/conv3x3/)
    expect(() => depthwise3x3(map, t.input("w", [3, 3, 4]), bias)).toThrow(/depthwise3x3/)
  })
})
