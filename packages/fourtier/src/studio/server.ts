/** The studio as a running server. */

import { withFolderLock } from "../util/lock.ts"
import { LOOPBACK, listen, namesOf } from "../util/serving.ts"
import { studioApp } from "./app.ts"
import { newToken } from "./guard.ts"
import { builtPage, studioPage } from "./page.ts"
import { Studio, type StudioOptions } from "./studio.ts"
import { LONGEST_UPLOAD, sweepUploads } from "./upload.ts"

export interface ServeStudioOptions extends StudioOptions {
  /** 0, the default: any that is free. */
  port?: number
  /** Address to listen on; `127.0.0.1` by default. */
  host?: string
  /** What opens the studio; a random one by default. */
  token?: string
  /** Folder of the built page. */
  page?: string
}

export interface StudioServer {
  /** For example `http://127.0.0.1:40123/`. */
  address: string
  token: string
  /** The address with the token, which opens the page. */
  opens: string
}

/**
 * Serves the studio of a data folder while `work` goes on: one process at a time, since it writes labels.
 * @throws FourtierError where another studio uses the data, it cannot be read, or the port is taken
 */
export async function serveStudio<T>(
  options: ServeStudioOptions,
  work: (server: StudioServer) => Promise<T>,
): Promise<T> {
  const { port = 0, host = LOOPBACK, longest = LONGEST_UPLOAD, token = newToken(), page = builtPage() } = options
  const own = await Studio.folderOf(options.data)
  return withFolderLock(own, async () => {
    const studio = await Studio.open(options)
    try {
      await sweepUploads(studio.uploads)
      const app = studioApp({ studio, token, names: namesOf(host), page: studioPage(token, page), longest })
      const { address, close } = await listen(app, { port, host, longest })
      try {
        return await work({ address, token, opens: `${address}?token=${token}` })
      } finally {
        await close()
      }
    } finally {
      await studio.close()
    }
  })
}
