"""Effects of mismatch without sampling: sensitivities, quadratic forms, needs of op-amps and values."""
