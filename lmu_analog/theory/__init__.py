"""What mismatch does, without sampling: sensitivities, quadratic forms, needs of op-amps and values."""
