`default_nettype none
// Compares a key with those of all entries of a cache for the next cycle: in parts that are registered then, and joined. A key may be kept
// for longer; whether it is may be known late. What is written into an entry meanwhile counts: the answer is that of the entries as they
// are.
module iommu_key_compare #(
    // Entries; bits of a key; parts that it is compared in.
    parameter int ENTRIES = 8,
    parameter int KEY_W = 64,
    parameter int PARTS = 4
) (
    input  wire                      clk_i,

    // 1: `next_i` is the key in the next cycle, else it stays `key_i`, which it is in this one.
    input  wire                      load_i,
    input  wire [KEY_W-1:0]          next_i,
    input  wire [KEY_W-1:0]          key_i,

    // Keys of the entries, that of entry 0 lowest; entries that are written in this cycle, and with which key.
    input  wire [ENTRIES*KEY_W-1:0]  keys_i,
    input  wire [ENTRIES-1:0]        write_i,
    input  wire [KEY_W-1:0]          write_key_i,

    // The entries whose key it is.
    output wire [ENTRIES-1:0]        same_o
);

  localparam int PART_W = (KEY_W + PARTS - 1) / PARTS;

  logic               load_q;
  // The key that was written in the cycle before against the one that was next then, and where it was written.
  logic [PARTS-1:0]   written_d, written_q;
  logic [ENTRIES-1:0] write_q;
  wire                written_key = write_key_i == key_i;
  wire                written = written_q == '1;

  generate
    for (genvar j = 0; j < PARTS; j++) begin : g_written
      localparam int LOW = j * PART_W;
      localparam int WIDTH = KEY_W - LOW < PART_W ? KEY_W - LOW : PART_W;
      assign written_d[j] = write_key_i[LOW +: WIDTH] == next_i[LOW +: WIDTH];
    end
  endgenerate

  generate
    for (genvar i = 0; i < ENTRIES; i++) begin : g_entry
      logic [PARTS-1:0] next_d, next_q;
      logic             kept_q;                    // of a key that stays

      for (genvar j = 0; j < PARTS; j++) begin : g_part
        localparam int LOW = j * PART_W;
        localparam int WIDTH = KEY_W - LOW < PART_W ? KEY_W - LOW : PART_W;
        assign next_d[j] = keys_i[KEY_W*i + LOW +: WIDTH] == next_i[LOW +: WIDTH];
      end

      always_ff @(posedge clk_i) begin
        next_q <= next_d;
        kept_q <= write_i[i] ? written_key : same_o[i];
      end

      assign same_o[i] = !load_q ? kept_q : write_q[i] ? written : next_q == '1;
    end
  endgenerate

  always_ff @(posedge clk_i) begin
    load_q <= load_i;
    written_q <= written_d;
    write_q <= write_i;
  end

  generate
    if (PARTS < 1 || (PARTS - 1) * PART_W >= KEY_W) begin : g_check_parts
      initial $fatal(1, "iommu_key_compare: PARTS must be 1 or more, and no part of the key empty");
    end
  endgenerate

endmodule
`default_nettype wire
