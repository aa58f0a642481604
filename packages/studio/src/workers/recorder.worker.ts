/** Writes recordings as they come: what has been written stays, whatever happens to the page. */

import { folder } from "../store/files.ts"
import { serve } from "./rpc.ts"

const open = new Map<string, { file: FileSystemSyncAccessHandle; end: number }>()

const functions = {
  async begin(id: string): Promise<void> {
    const directory = await folder("recording")
    const handle = await directory.getFileHandle(id, { create: true })
    open.set(id, { file: await handle.createSyncAccessHandle(), end: 0 })
  },

  append(id: string, data: ArrayBuffer): void {
    const own = open.get(id)
    if (!own) throw new Error(`internal error: no recording ${id}`)
    own.end += own.file.write(new Uint8Array(data), { at: own.end })
    own.file.flush()
  },

  /** Closes the file. @returns its bytes */
  end(id: string): number {
    const own = open.get(id)
    own?.file.close()
    open.delete(id)
    return own?.end ?? 0
  },
}

export type RecorderFunctions = typeof functions

serve(functions)
