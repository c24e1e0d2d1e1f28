`default_nettype none
// Where the device directory holds a device's entries, combinational (Data Structures: Device-Directory-Table; base and extended
// format of the device context).
module iommu_directory_index (
    // 1: extended format, contexts of 64 bytes; else 32.
    input  wire        extended_i,
    input  wire [23:0] device_i,

    // Index into the table above the last, into the root of three levels, and offset of the context in a last table.
    output wire [8:0]  middle_o,
    output wire [8:0]  root_o,
    output wire [11:0] context_o
);

  assign middle_o = extended_i ? device_i[14:6] : device_i[15:7];
  assign root_o = extended_i ? device_i[23:15] : {1'b0, device_i[23:16]};
  assign context_o = extended_i ? {device_i[5:0], 6'd0} : {device_i[6:0], 5'd0};

endmodule
`default_nettype wire
