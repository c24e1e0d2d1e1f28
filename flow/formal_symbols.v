`default_nettype none
// Values that the solver chooses, for the formal sections of modules; the front end sees these ports, formal_symbols_map.v the rest.

// An arbitrary constant: what is shown for it is shown for every value.
module formal_constant #(
    // Bits of the value.
    parameter int WIDTH = 1
) (
    output wire [WIDTH-1:0] value_o
);
endmodule

// A value that is arbitrary in every cycle anew.
module formal_free #(
    // Bits of the value.
    parameter int WIDTH = 1
) (
    output wire [WIDTH-1:0] value_o
);
endmodule
`default_nettype wire
