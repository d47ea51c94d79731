/** Misspelt ones, too: a server that refuses `passwrod = 'x'` makes the password no less one. */
const secretName =
  /p[as]{1,4}w|(?<!by)pass?(?![a-z])|passphrase|(?:^|[_.-])pwd?(?![a-z])|secret|authkey|token|credential|authorization|api[_-]?key/i;
/** What is said about a password, and where one stands. */
const harmlessName =
  /(?:^(?:pool|cluster)_passwd|_encryption|file|_path|_dir|_length|_interval|_supports_reload|_warnings)$/i;

/** Whether what is called so is a secret: a setting, a variable, an option, a keyword. `%61` in a URI reads as `a`. */
export function isSecretName(name: string): boolean {
  const plain = name.replace(/%([2-7][0-9a-f])/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return secretName.test(plain) && !harmlessName.test(plain);
}
