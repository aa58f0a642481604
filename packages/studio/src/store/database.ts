/**
 * The small things that the page keeps, in IndexedDB: each change is whole or not at all, also when the tab is killed. Clips' bytes
 * and features are files of their own, see `files.ts`.
 */

import type { api } from "../home.ts"

/** A clip as it is kept: `file` names its bytes, which several clips may share. */
export interface StoredClip extends Omit<api.Clip, "part"> {
  file: string
}

/** A recording that has begun, and is not yet a clip. */
export interface OpenRecording {
  id: string
  name: string
  label: string | null
  type: string
}

export interface StoredAnswers {
  clip: string
  answers: api.Answer[]
}

interface Tables {
  clips: StoredClip
  recordings: OpenRecording
  /** By name: classes, the report, parts, where the bundle is. */
  notes: unknown
  /** Checkpoints and finished weights, by the name of what is trained. */
  training: unknown
  /** What is said of a clip, by its id. */
  answers: StoredAnswers
}

const TABLES = ["clips", "recordings", "notes", "training", "answers"] as const

/** Counts up where a table is added. */
const VERSION = 2

let opened: Promise<IDBDatabase> | null = null

function open(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("fourtier-studio", VERSION)
    request.onupgradeneeded = () => {
      const { objectStoreNames: known } = request.result
      for (const name of TABLES) if (!known.contains(name)) request.result.createObjectStore(name)
    }
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
  return opened
}

async function within<T>(
  table: keyof Tables,
  mode: IDBTransactionMode,
  work: (store: IDBObjectStore) => IDBRequest<T> | null,
): Promise<T | undefined> {
  const database = await open()
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(table, mode, { durability: "strict" })
    const request = work(transaction.objectStore(table))
    transaction.oncomplete = () => resolve(request?.result)
    transaction.onabort = () => reject(transaction.error)
    transaction.onerror = () => reject(transaction.error)
  })
}

export async function all<T extends keyof Tables>(table: T): Promise<Tables[T][]> {
  return (await within<Tables[T][]>(table, "readonly", (store) => store.getAll())) ?? []
}

export async function get<T extends keyof Tables>(table: T, key: string): Promise<Tables[T] | undefined> {
  return within<Tables[T]>(table, "readonly", (store) => store.get(key))
}

export async function keys(table: keyof Tables): Promise<string[]> {
  return ((await within(table, "readonly", (store) => store.getAllKeys())) ?? []).map(String)
}

/** Writes several values at once. */
export async function put<T extends keyof Tables>(
  table: T,
  entries: readonly (readonly [string, Tables[T]])[],
): Promise<void> {
  await within(table, "readwrite", (store) => {
    for (const [key, value] of entries) store.put(value, key)
    return null
  })
}

export async function remove(table: keyof Tables, keys: readonly string[]): Promise<void> {
  await within(table, "readwrite", (store) => {
    for (const key of keys) store.delete(key)
    return null
  })
}
