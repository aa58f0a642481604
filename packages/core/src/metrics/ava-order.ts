/**
 * The order in which AVA's official evaluation sees the boxes of one frame, and which of them it keeps. It decides
 * between equal scores, so figures agree with the official ones only where the order does.
 *
 * The boxes are pushed to a binary heap of (score, class, y1, x1, y2, x2), smallest first. A full heap gives up its smallest
 * box for one of a higher score; of an equal score the earlier stays. The heap's array, stably sorted by falling
 * score, is the order.
 */

import type { Detection } from "./boxes.ts"

/**
 * The boxes that count, best score first.
 * @param capacity how many are kept
 *
 * @example
 * ```ts
 * import { type Detection, officialOrder } from "@fourtier/core/metrics"
 *
 * const at = { videoId: "a", timestamp: 902, box: [0, 0, 1, 1] } as const
 * const found: Detection[] = [0.2, 0.9, 0.4].map((score) => ({ ...at, classId: 1, score }))
 * officialOrder(found, 2) // scores 0.9 and 0.4
 * ```
 */
export function officialOrder(detections: Iterable<Detection>, capacity = Number.POSITIVE_INFINITY): Detection[] {
  const heap: Detection[] = []
  for (const detection of detections) {
    if (heap.length < capacity) push(heap, detection)
    else if (heap.length > 0 && detection.score > heap[0].score) replaceSmallest(heap, detection)
  }
  return heap.toSorted((a, b) => b.score - a.score)
}

function isLess(a: Detection, b: Detection): boolean {
  const [left, right] = [a, b].map(({ score, classId, box: [x1, y1, x2, y2] }) => [score, classId, y1, x1, y2, x2])
  const at = left.findIndex((value, i) => value !== right[i])
  return at >= 0 && left[at] < right[at]
}

function push(heap: Detection[], added: Detection): void {
  heap.push(added)
  rise(heap, heap.length - 1, 0)
}

/** Moves the box at `place` towards the root, no further than `top`, until its parent is not larger. */
function rise(heap: Detection[], place: number, top: number): void {
  const moved = heap[place]
  let at = place
  while (at > top) {
    const parent = (at - 1) >> 1
    if (!isLess(moved, heap[parent])) break
    heap[at] = heap[parent]
    at = parent
  }
  heap[at] = moved
}

/** The hole at the root follows the smaller children down to a leaf; from there the new box rises. */
function replaceSmallest(heap: Detection[], added: Detection): void {
  let at = 0
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    const right = child + 1
    const smaller = right < heap.length && !isLess(heap[child], heap[right]) ? right : child
    heap[at] = heap[smaller]
    at = smaller
  }
  heap[at] = added
  rise(heap, at, 0)
}
