"""The only room that knows SPICE and starts ngspice."""
