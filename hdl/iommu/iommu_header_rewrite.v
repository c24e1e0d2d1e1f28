`default_nettype none
// Header of a memory request after translation: the address replaced and encoded as 3 DW below 4 GiB and 4 DW above
// (PCIe Base: an address below 4 GiB must use the 3 DW form), AT = 00. Everything else (requester ID, tag, attributes, byte
// enables, length, processing hints beside the address) is kept. Combinational.
module iommu_header_rewrite (
    // Header as it arrived.
    input  wire [127:0] hdr_i,
    // Translated byte address.
    input  wire [55:0]  spa_i,

    output wire [127:0] hdr_o
);

  // Replaced fields; the address of a TLP is one of DWs.
  wire unused_bits = &{1'b0, hdr_i[107:106], hdr_i[63:34], hdr_i[31:2], spa_i[1:0]};
  wire       four_dwords = spa_i[55:32] != 24'd0;
  wire [1:0] hint = hdr_i[125] ? hdr_i[1:0] : hdr_i[33:32];
  wire [31:0] address_low = {spa_i[31:2], hint};

  assign hdr_o[127:96] = {hdr_i[127:126], four_dwords, hdr_i[124:108], 2'b00, hdr_i[105:96]};
  assign hdr_o[95:64] = hdr_i[95:64];
  assign hdr_o[63:32] = four_dwords ? {8'd0, spa_i[55:32]} : address_low;
  assign hdr_o[31:0] = four_dwords ? address_low : 32'd0;

endmodule
`default_nettype wire
