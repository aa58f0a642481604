/** Reads a tensor's elements from a file into C order, through a small window when they do not lie in that order. */

import type { FileHandle } from "node:fs/promises"
import { allocateStored, bytesOf, countOf, readExactly, type StoredTensor, storedBytes } from "@fourtier/tensor/node"
import type { TensorRef } from "./values.ts"

const WINDOW_BYTES = 1 << 20

/** Whether the elements lie one after another in C order. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false
    expected *= shape[axis]
  }
  return true
}

/** @returns the tensor's elements in C order */
export async function readTensor(file: FileHandle, ref: TensorRef, where: string): Promise<StoredTensor> {
  const data = allocateStored(ref.type, countOf(ref.shape))
  const into = bytesOf(data)
  const size = storedBytes[ref.type]
  if (isContiguous(ref.shape, ref.strides) || into.length === 0) {
    await readExactly(file, into, ref.storage.offset + ref.offset * size, where)
  } else {
    await gather(file, ref, into, where)
  }
  return { type: ref.type, shape: [...ref.shape], data }
}

interface Axis {
  size: number
  /** Steps in elements: in the file, and in the result. */
  from: number
  to: number
}

/** Walks the elements in the order of the file (largest stride outermost), so that the window moves forward. */
async function gather(file: FileHandle, ref: TensorRef, into: Uint8Array, where: string): Promise<void> {
  const size = storedBytes[ref.type]
  const lanes = lanesOf(into, size)
  const axes: Axis[] = ref.shape.map((length, axis) => ({
    size: length,
    from: ref.strides[axis],
    to: countOf(ref.shape.slice(axis + 1)),
  }))
  axes.sort((a, b) => b.from - a.from)
  const inner = axes.pop() ?? { size: 1, from: 1, to: 1 }
  const end = axes.concat(inner).reduce((sum, axis) => sum + (axis.size - 1) * axis.from, ref.offset) + 1
  const perWindow = WINDOW_BYTES / size
  const bytes = new Uint8Array(Math.min(WINDOW_BYTES, (end - ref.offset) * size))
  const window = lanesOf(bytes, size)
  let begin = 0
  let stop = 0
  const counters = new Array<number>(axes.length).fill(0)
  for (;;) {
    const from = counters.reduce((sum, count, axis) => sum + count * axes[axis].from, ref.offset)
    const to = counters.reduce((sum, count, axis) => sum + count * axes[axis].to, 0)
    for (let i = 0; i < inner.size; i++) {
      const element = from + i * inner.from
      if (element < begin || element >= stop) {
        begin = element
        stop = Math.min(end, element + perWindow)
        await readExactly(file, bytes.subarray(0, (stop - begin) * size), ref.storage.offset + begin * size, where)
      }
      const target = (to + i * inner.to) * lanes.perElement
      const source = (element - begin) * lanes.perElement
      for (let lane = 0; lane < lanes.perElement; lane++) lanes.words[target + lane] = window.words[source + lane]
    }
    let axis = axes.length - 1
    while (axis >= 0 && ++counters[axis] === axes[axis].size) counters[axis--] = 0
    if (axis < 0) return
  }
}

/** The bytes as words of at most four bytes. */
function lanesOf(
  bytes: Uint8Array,
  size: number,
): { words: Uint8Array | Uint16Array | Uint32Array; perElement: number } {
  if (size === 1) return { words: bytes, perElement: 1 }
  if (size === 2) return { words: new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2), perElement: 1 }
  return { words: new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4), perElement: size / 4 }
}
