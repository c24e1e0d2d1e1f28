// What the modules of formal_symbols.v become in a proof (Yosys technology map).

(* techmap_celltype = "formal_constant" *)
module map_formal_constant #(parameter WIDTH = 1) (output [WIDTH-1:0] value_o);
  \$anyconst #(.WIDTH(WIDTH)) _TECHMAP_REPLACE_ (.Y(value_o));
endmodule

(* techmap_celltype = "formal_free" *)
module map_formal_free #(parameter WIDTH = 1) (output [WIDTH-1:0] value_o);
  \$anyseq #(.WIDTH(WIDTH)) _TECHMAP_REPLACE_ (.Y(value_o));
endmodule
