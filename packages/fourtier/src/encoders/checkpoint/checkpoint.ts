/**
 * Checkpoint files of every format, as tensors by name:
 *
 *   file ──first bytes──┬── safetensors ──────────────┐
 *                       ├── ZIP: torch, TorchScript ──┼── keys, shapes, types ── read(name)
 *                       └── older torch ──────────────┘
 *
 * Opening reads the structure only; `read` reads one tensor's bytes. Nothing in a file is ever executed.
 */

import { type FileHandle, open } from "node:fs/promises"
import { FourtierError } from "@fourtier/tensor"
import { openFile, Safetensors, type StoredTensor, type StoredType, toFloat32 } from "@fourtier/tensor/node"
import { corrupt } from "./errors.ts"
import { findState, renameKeys, type StateOptions } from "./state.ts"
import { looksLikeLegacyTorch, readTorchLegacy, readTorchZip, type TorchFormat, TorchTensors } from "./torch.ts"
import type { TensorRef } from "./values.ts"
import { looksLikeZip } from "./zip.ts"

export interface CheckpointOptions extends StateOptions {
  /** Whether tensors are checked against the checksums in the file. Only files written without them need `false`. */
  verify?: boolean
}

interface Entry {
  type: StoredType
  shape: readonly number[]
  read(): Promise<StoredTensor>
}

/** An open checkpoint file. Reads may overlap. */
export class Checkpoint {
  readonly path: string
  readonly format: "safetensors" | TorchFormat
  /** Where in the file the weights were found: "model", "state_dict", ..., or "" for the root. */
  readonly section: string
  readonly #entries: ReadonlyMap<string, Entry>
  readonly #close: () => Promise<void>

  constructor(
    path: string,
    format: "safetensors" | TorchFormat,
    section: string,
    entries: ReadonlyMap<string, Entry>,
    close: () => Promise<void>,
  ) {
    this.path = path
    this.format = format
    this.section = section
    this.#entries = entries
    this.#close = close
  }

  /** Names of all tensors, in the file's order. */
  get keys(): string[] {
    return [...this.#entries.keys()]
  }

  /** Shape of every tensor, as `matchWeights` takes it. */
  get shapes(): Map<string, readonly number[]> {
    return new Map([...this.#entries].map(([name, entry]) => [name, entry.shape]))
  }

  has(name: string): boolean {
    return this.#entries.has(name)
  }

  shape(name: string): readonly number[] {
    return this.#entry(name).shape
  }

  dtype(name: string): StoredType {
    return this.#entry(name).type
  }

  /** A tensor's elements as float32, in C order. @throws FourtierError for unknown names and damaged data */
  async read(name: string): Promise<Float32Array> {
    return toFloat32(await this.readStored(name))
  }

  /** A tensor as stored, in C order. */
  async readStored(name: string): Promise<StoredTensor> {
    return this.#entry(name).read()
  }

  async close(): Promise<void> {
    await this.#close()
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name)
    if (!entry) throw new FourtierError({ where: this.path, what: `no tensor named ${name}` })
    return entry
  }
}

/**
 * Opens a `.safetensors`, `.pt`, `.pth`, `.pyth` or `.bin` file; the content decides, not the name. In PyTorch files the
 * state dictionary may be nested under `model`, `module`, `model_state`, `state_dict`, ...; `module.` and `_orig_mod.`
 * before all names are dropped.
 *
 * @throws FourtierError for anything but weights in a known format
 *
 * @example
 * ```ts
 * import { openCheckpoint } from "fourtier/encoders"
 *
 * const checkpoint = await openCheckpoint("ViT-B-16.pt")
 * const weight = await checkpoint.read("visual.conv1.weight") // Float32Array, shape as in checkpoint.shape(name)
 * await checkpoint.close()
 * ```
 */
export async function openCheckpoint(path: string, options: CheckpointOptions = {}): Promise<Checkpoint> {
  const file = await openFile(path, () => open(path, "r"))
  let keep = false
  try {
    const start = Buffer.alloc(64)
    const { bytesRead } = await file.read(start, 0, start.length, 0)
    const head = start.subarray(0, bytesRead)
    if (looksLikeZip(head) || looksLikeLegacyTorch(head)) {
      const checkpoint = await openTorch(file, path, looksLikeZip(head), options)
      keep = true
      return checkpoint
    }
    if (looksLikeSafetensors(head)) return await openSafetensors(path, options)
    throw unknownFormat(path, head)
  } finally {
    if (!keep) await file.close()
  }
}

async function openTorch(
  file: FileHandle,
  path: string,
  isZip: boolean,
  options: CheckpointOptions,
): Promise<Checkpoint> {
  const { format, root } = isZip ? await readTorchZip(file, path) : await readTorchLegacy(file, path)
  const { section, tensors } = findState(root, path, options)
  const reader = new TorchTensors(file, path, options.verify ?? true)
  const entries = new Map<string, Entry>()
  for (const [name, original] of renameKeys([...tensors.keys()], path, options.prefix)) {
    const ref = tensors.get(original)
    if (ref) entries.set(name, torchEntry(reader, original, ref))
  }
  return new Checkpoint(path, format, section, entries, () => file.close())
}

function torchEntry(reader: TorchTensors, name: string, ref: TensorRef): Entry {
  return { type: ref.type, shape: ref.shape, read: () => reader.read(name, ref) }
}

async function openSafetensors(path: string, options: CheckpointOptions): Promise<Checkpoint> {
  const file = await Safetensors.open(path)
  try {
    if (options.section) {
      throw new FourtierError({
        where: path,
        what: `no section named ${options.section}`,
        found: "a flat safetensors file",
      })
    }
    const entries = new Map<string, Entry>()
    for (const [name, original] of renameKeys(file.keys, path, options.prefix)) {
      const { type, shape } = file.entry(original)
      entries.set(name, { type, shape, read: () => file.read(original) })
    }
    return new Checkpoint(path, "safetensors", "", entries, () => file.close())
  } catch (error) {
    await file.close()
    throw error
  }
}

/** A plausible header length, then an object. */
function looksLikeSafetensors(head: Buffer): boolean {
  return head.length >= 9 && head[8] === 0x7b && head.readUInt32LE(4) === 0
}

function unknownFormat(path: string, head: Buffer): FourtierError {
  const text = head.toString("latin1")
  if (head.length === 0) return corrupt(path, "an empty file")
  if (text.startsWith("version https://git-lfs")) {
    const fix = "fetch the file itself: git lfs pull, or download it from the hub"
    return new FourtierError({ where: path, what: "only a pointer to the file (Git LFS)", fix })
  }
  if (/^\s*<(!doctype|html)/i.test(text)) {
    const fix = "the download gave an error page: fetch the file again"
    return new FourtierError({ where: path, what: "a web page instead of a checkpoint", fix })
  }
  return new FourtierError({
    where: path,
    what: "unknown checkpoint format",
    expected: "safetensors, or a file of torch.save or torch.jit.save",
    found: `bytes ${head.subarray(0, 8).toString("hex")}...`,
  })
}
