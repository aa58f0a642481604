/** What workers have beyond a page. */

interface FileSystemSyncAccessHandle {
  write(data: BufferSource, options: { at: number }): number
  flush(): void
  close(): void
}

interface FileSystemFileHandle {
  createSyncAccessHandle(): Promise<FileSystemSyncAccessHandle>
}
