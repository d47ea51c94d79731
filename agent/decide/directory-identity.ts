type DirectoryIdentity = {
  readonly device: number;
  readonly inode: number;
  /** "0" where the file system keeps no time of birth: device and inode have to do there. */
  readonly bornNs: string;
};

/** Is what is found the directory that was made? An inode is given out again at once (ext4), a birth is not. */
export function isSameDirectory(found: DirectoryIdentity, made: DirectoryIdentity): boolean {
  const isBirthKnown = found.bornNs !== "0" && made.bornNs !== "0";
  return (
    found.device === made.device &&
    found.inode === made.inode &&
    (!isBirthKnown || found.bornNs === made.bornNs)
  );
}
